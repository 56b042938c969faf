"""The domain of Magnet Ledger: log, material, carbon, and the store and use cases around them."""
