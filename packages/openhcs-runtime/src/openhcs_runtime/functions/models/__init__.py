"""Ready steps with models of other libraries, each an extra; those libraries are imported when a step runs."""
