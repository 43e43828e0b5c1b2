"""What recordings and models are asked: functions on arrays that answer with numbers."""
