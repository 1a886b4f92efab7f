"""Video reconstruction from sparse measurements with spatiotemporal diffusion priors (STeP)."""
