"""What a probe is made of: folds, readouts fitted by block, calendars, nulls."""
