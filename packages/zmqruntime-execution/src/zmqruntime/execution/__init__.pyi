from .client.aio import (
    AsyncExecutionClient as AsyncExecutionClient,
)
from .client.client import (
    ExecutionClient as ExecutionClient,
    TaskEnvironment as TaskEnvironment,
)
from .client.options import (
    Concurrency as Concurrency,
    QueueState as QueueState,
    Rate as Rate,
    Schedule as Schedule,
    SubmitOptions as SubmitOptions,
)
from .exceptions import (
    BatchFailedError as BatchFailedError,
    IllegalTransitionError as IllegalTransitionError,
    InvalidProgressError as InvalidProgressError,
    KeyUsedError as KeyUsedError,
    SubmissionLostError as SubmissionLostError,
    SubmissionTimeoutError as SubmissionTimeoutError,
    TaskCancelled as TaskCancelled,
    TaskError as TaskError,
    TaskFailed as TaskFailed,
    TaskTimeoutError as TaskTimeoutError,
    WaitTimeoutError as WaitTimeoutError,
)
from .executor.decorator import (
    Function as Function,
    task as task,
)
from .executor.executor import (
    Executor as Executor,
)
from .executor.futures import (
    TaskFuture as TaskFuture,
)
from .executor.options import (
    TaskOptions as TaskOptions,
)
from .helpers.status_poller import (
    CallbackExecutionStatusPollPolicy as CallbackExecutionStatusPollPolicy,
    ExecutionStatusPoller as ExecutionStatusPoller,
    ExecutionStatusPollPolicy as ExecutionStatusPollPolicy,
    PollEnd as PollEnd,
    PollResult as PollResult,
)
from .helpers.submit_and_wait import (
    BatchResult as BatchResult,
    BatchSubmitWaitEngine as BatchSubmitWaitEngine,
    BatchSubmitWaitPolicy as BatchSubmitWaitPolicy,
    CallbackBatchSubmitWaitPolicy as CallbackBatchSubmitWaitPolicy,
    JobOutcome as JobOutcome,
    JobState as JobState,
)
from .notebook.watching import (
    watch as watch,
)
from .progress.axes import (
    project_axis as project_axis,
)
from .progress.channels import (
    ProgressChannel as ProgressChannel,
)
from .progress.projection import (
    PlateProjection as PlateProjection,
    project_batch as project_batch,
    project_plate as project_plate,
)
from .progress.registry import (
    ProgressRegistry as ProgressRegistry,
    RegistryCounts as RegistryCounts,
)
from .progress.values import (
    AxisProgress as AxisProgress,
    AxisState as AxisState,
    BatchProgress as BatchProgress,
    PlateProgress as PlateProgress,
    PlateState as PlateState,
    Work as Work,
)
from .server.server import (
    ExecutionServer as ExecutionServer,
)
from .tasks.bars import (
    bars_as_progress as bars_as_progress,
)
from .tasks.cancel import (
    CancelHook as CancelHook,
)
from .tasks.hub import (
    local_task as local_task,
)
from .tasks.join import (
    join_task as join_task,
)
from .tasks.steps import (
    Step as Step,
)
from .tasks.task import (
    Task as Task,
    TaskLink as TaskLink,
    current_task as current_task,
)
from .tasks.tracking import (
    report as report,
    track as track,
)
from .workers.parent_death import (
    die_with_parent as die_with_parent,
)
from .workers.pool import (
    WorkerKind as WorkerKind,
)
