"""The wire between host and joints: message table, host codec and vectors."""
