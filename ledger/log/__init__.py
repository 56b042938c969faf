"""The tamper-evident log: canonical bytes, signatures, hash chain, Merkle tree, checkpoints, proofs. Pure."""
