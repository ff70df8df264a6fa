"""The way out to the network: what may be reached, by what proxy, and what searches there."""
