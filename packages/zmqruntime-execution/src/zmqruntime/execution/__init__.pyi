from .client.aio import (
    AsyncExecutionClient as AsyncExecutionClient,
)
from .client.client import (
    ExecutionClient as ExecutionClient,
)
from .client.client import (
    SubmitOptions as SubmitOptions,
)
from .client.client import (
    TaskEnvironment as TaskEnvironment,
)
from .exceptions import (
    BatchFailedError as BatchFailedError,
)
from .exceptions import (
    IllegalTransitionError as IllegalTransitionError,
)
from .exceptions import (
    InvalidProgressError as InvalidProgressError,
)
from .exceptions import (
    SubmissionLostError as SubmissionLostError,
)
from .exceptions import (
    SubmissionTimeoutError as SubmissionTimeoutError,
)
from .exceptions import (
    TaskCancelled as TaskCancelled,
)
from .exceptions import (
    TaskFailed as TaskFailed,
)
from .exceptions import (
    WaitTimeoutError as WaitTimeoutError,
)
from .helpers.status_poller import (
    CallbackExecutionStatusPollPolicy as CallbackExecutionStatusPollPolicy,
)
from .helpers.status_poller import (
    ExecutionStatusPoller as ExecutionStatusPoller,
)
from .helpers.status_poller import (
    ExecutionStatusPollPolicy as ExecutionStatusPollPolicy,
)
from .helpers.status_poller import (
    PollEnd as PollEnd,
)
from .helpers.status_poller import (
    PollResult as PollResult,
)
from .helpers.submit_and_wait import (
    BatchResult as BatchResult,
)
from .helpers.submit_and_wait import (
    BatchSubmitWaitEngine as BatchSubmitWaitEngine,
)
from .helpers.submit_and_wait import (
    BatchSubmitWaitPolicy as BatchSubmitWaitPolicy,
)
from .helpers.submit_and_wait import (
    CallbackBatchSubmitWaitPolicy as CallbackBatchSubmitWaitPolicy,
)
from .helpers.submit_and_wait import (
    JobOutcome as JobOutcome,
)
from .helpers.submit_and_wait import (
    JobState as JobState,
)
from .progress.channels import (
    ProgressChannel as ProgressChannel,
)
from .progress.projection import (
    AxisProgress as AxisProgress,
)
from .progress.projection import (
    AxisState as AxisState,
)
from .progress.projection import (
    BatchProgress as BatchProgress,
)
from .progress.projection import (
    PlateProgress as PlateProgress,
)
from .progress.projection import (
    PlateState as PlateState,
)
from .progress.projection import (
    project_axis as project_axis,
)
from .progress.projection import (
    project_batch as project_batch,
)
from .progress.projection import (
    project_plate as project_plate,
)
from .progress.registry import (
    ProgressRegistry as ProgressRegistry,
)
from .progress.registry import (
    RegistryCounts as RegistryCounts,
)
from .server.server import (
    ExecutionServer as ExecutionServer,
)
from .task.cancel import (
    CancelHook as CancelHook,
)
from .task.hub import (
    local_task as local_task,
)
from .task.join import (
    join_task as join_task,
)
from .task.task import (
    Task as Task,
)
from .task.task import (
    TaskLink as TaskLink,
)
from .task.task import (
    current_task as current_task,
)
from .workers.parent_death import (
    die_with_parent as die_with_parent,
)
from .workers.pool import (
    WorkerKind as WorkerKind,
)
