"""The command line: `magnet-ledger` + noun + verb."""
