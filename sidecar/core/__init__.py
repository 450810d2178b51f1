"""What every room speaks of: calls, targets, attempts, faults, money, time. Stdlib only."""
