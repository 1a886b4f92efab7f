"""Made-up raw data in the layouts of real ones: hearts as of CMRxRecon 2023, accretion flows as of GRMHD codes."""
