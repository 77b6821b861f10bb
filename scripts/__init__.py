"""Programs that maintain the repository; none of them is part of the package."""
