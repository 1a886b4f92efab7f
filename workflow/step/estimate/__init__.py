"""What a study will take, before it is run: work of its jobs, hours, space, and the time to its end."""
