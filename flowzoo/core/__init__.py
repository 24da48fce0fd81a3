"""The core contracts, and the checks, file handling and errors that all packages share."""
