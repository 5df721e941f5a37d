"""What an operator and a supervisor see of a run: events, tallies, a status file, metrics, notices of failures."""
