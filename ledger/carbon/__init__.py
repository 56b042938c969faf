"""The footprint: factors, activity data, allocation, roll-up, statement. Pure."""
