"""Public helpers whose names the runbook uses."""
