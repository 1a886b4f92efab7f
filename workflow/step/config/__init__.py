"""The one description of the configuration; see `step.config.study.load_config`."""
