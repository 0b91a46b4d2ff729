"""A trained model in use: as a file of data, as a network, and what it says of a picture."""
