"""The contracts on which everything stands, and the checks, files and errors that all share."""
