# At the end of a dry run: what its jobs will take, by the measured costs in resources/unit_costs.csv.
import atexit

from step.estimate.planning import say_what_it_takes

atexit.register(say_what_it_takes, workflow, CONFIG)
