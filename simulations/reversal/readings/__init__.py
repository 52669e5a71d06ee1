"""What learning curves of studies say, and their settings, for claims and figures; knows neither, trains nothing."""
