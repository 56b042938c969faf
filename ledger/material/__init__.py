"""The material: entry bodies, batches, genealogy, element balance, origin. Pure."""
