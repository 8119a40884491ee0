"""Networks, losses, plans, defences and schedules that methods share."""
