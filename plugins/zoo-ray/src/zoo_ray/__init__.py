"""Ray for zoo: folders, tar shards and Parquet files are translated on many machines."""
