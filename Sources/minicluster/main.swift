print("minicluster")
