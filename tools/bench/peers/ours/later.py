import sys

from zmqruntime.execution import Executor

print(Executor("hello").future(sys.argv[1]).result())
