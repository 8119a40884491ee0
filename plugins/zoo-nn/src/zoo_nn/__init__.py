"""Networks, losses, plans, defences, schedules and made-up signals that methods share."""
