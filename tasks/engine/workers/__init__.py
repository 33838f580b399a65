"""Workers: threads, processes of this machine or a Dask cluster, which make the parts of a stage's output.

May import: what tasks.engine may. Only dask_cluster imports Dask, and only engines imports dask_cluster.
Read in this order: parts, turns, engines, call; choice; processes, child; dask_cluster.
"""
