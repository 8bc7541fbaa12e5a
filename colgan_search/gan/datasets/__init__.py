"""The real images: read once, converted and resized once, and then held in memory as uint8. One file per data set."""
