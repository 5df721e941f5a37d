"""What the platform itself keeps: solutions, publishers, jobs, settings, and functions of the organization."""
