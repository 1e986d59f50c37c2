"""Functions as tasks: an executor whose futures outlive the program."""
