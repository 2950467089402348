"""Classical systems that the network is measured against."""
