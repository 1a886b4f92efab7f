# What jobs take, by the measured costs in resources/unit_costs.csv: a line at the end of a dry run, and of a run the page
# <results>/progress.html, which is written anew every minute from the files that there are.
import atexit

from step.estimate.following import follow_run
from step.estimate.planning import say_what_it_takes

atexit.register(say_what_it_takes, workflow, CONFIG)


onstart:
    follow_run(workflow, CONFIG)
