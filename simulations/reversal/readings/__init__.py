"""What learning curves of studies tasks and speedup say, for claims and figures; knows neither, trains nothing."""
