"""The network, equation by equation."""
