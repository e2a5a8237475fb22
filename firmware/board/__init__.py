"""The thin layer over machine and network: what the rest of the firmware needs of a board, and no more."""
