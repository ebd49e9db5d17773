print("ffwd")
