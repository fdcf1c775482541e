"""Every name that our spans use. A test pins those of OpenTelemetry to the installed semantic conventions.

The constants are called as in ``opentelemetry.semconv``; what begins with ``weighbridge.`` is our own.
"""

from typing import Final

# What HTTP spans have.
HTTP_REQUEST_METHOD: Final = "http.request.method"
HTTP_REQUEST_RESEND_COUNT: Final = "http.request.resend_count"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
HTTP_ROUTE: Final = "http.route"
URL_PATH: Final = "url.path"
URL_SCHEME: Final = "url.scheme"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"

# What the client calls the session that it is in.
SESSION_ID: Final = "session.id"

# What spans of generative AI have.
GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"

# What the event of a judged sample is called, and has.
GEN_AI_EVALUATION_RESULT: Final = "gen_ai.evaluation.result"
GEN_AI_EVALUATION_NAME: Final = "gen_ai.evaluation.name"
GEN_AI_EVALUATION_SCORE_VALUE: Final = "gen_ai.evaluation.score.value"
GEN_AI_EVALUATION_SCORE_LABEL: Final = "gen_ai.evaluation.score.label"
GEN_AI_EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"

# The resource.
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"

# Ours. The conventions have no word for cost.
WEIGHBRIDGE_REQUEST_ID: Final = "weighbridge.request.id"
WEIGHBRIDGE_ASKED: Final = "weighbridge.asked"
WEIGHBRIDGE_POLICY: Final = "weighbridge.policy"
WEIGHBRIDGE_DECISION_KEPT: Final = "weighbridge.decision.kept"
WEIGHBRIDGE_DECISION_DROPPED: Final = "weighbridge.decision.dropped"
WEIGHBRIDGE_DECISION_REASON: Final = "weighbridge.decision.reason"
WEIGHBRIDGE_ROUTE: Final = "weighbridge.route"
WEIGHBRIDGE_REVISION: Final = "weighbridge.revision"
WEIGHBRIDGE_CACHE: Final = "weighbridge.cache"
WEIGHBRIDGE_OUTCOME: Final = "weighbridge.outcome"
WEIGHBRIDGE_COST_NANOUSD: Final = "weighbridge.cost.nanousd"
WEIGHBRIDGE_USAGE_SOURCE: Final = "weighbridge.usage.source"
WEIGHBRIDGE_RUN_ID: Final = "weighbridge.run.id"
WEIGHBRIDGE_SUITE: Final = "weighbridge.suite"
WEIGHBRIDGE_TASK_ID: Final = "weighbridge.task.id"
WEIGHBRIDGE_SAMPLE: Final = "weighbridge.sample"
WEIGHBRIDGE_LANGUAGE: Final = "weighbridge.language"

OPERATIONS: Final = {"completions": "text_completion", "embeddings": "embeddings"}
"""By wire, where the conventions have a word of their own; the others are ``CHAT``."""
CHAT: Final = "chat"
PROVIDERS: Final = {"claude": "anthropic"}
"""By backend, where the conventions have a word of their own; the others go by the backend's name."""
