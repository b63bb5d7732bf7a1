"""The commands of `restore`, one file each; imported when they are called."""
