"""A picture to saliency maps: the network, and the libraries that run it."""
