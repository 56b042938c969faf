"""A witness: the server that co-signs the checkpoints of logs, and the client by which a log asks for that."""
