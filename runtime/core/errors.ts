/**
 * Every error that Corun raises on purpose: one table of stable codes with the HTTP status and what the
 * operator or the caller can do about it. Callers match on `code`, never on the message.
 * The README's table of errors is made from this file.
 */

interface ErrorKind {
  /** HTTP status of the problem response. */
  status: number
  /** Short, constant summary: the `title` of the problem details (RFC 9457). */
  title: string
  /** What to do next, for whoever reads the error. */
  hint: string
}

export const errorKinds = {
  // What a caller of a function URL can meet.
  'unknown-function': {
    status: 404,
    title: 'No such function',
    hint: 'GET /api/functions lists what is deployed.',
  },
  'unknown-route': { status: 404, title: 'No such route', hint: 'See the table of routes in the README.' },
  'method-not-allowed': {
    status: 405,
    title: 'Method not allowed',
    hint: 'Use the method in the Allow header.',
  },
  'malformed-request': {
    status: 400,
    title: 'Not a request that can be read',
    hint: 'Send HTTP/1.1 with a Host header; a proxy in between may have garbled it.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request took too long to come',
    hint: 'Send it faster, or in a smaller body.',
  },
  'headers-too-large': {
    status: 431,
    title: 'Headers too large',
    hint: 'Send fewer or shorter headers; data belongs into the body.',
  },
  'body-too-large': {
    status: 413,
    title: 'Body too large',
    hint: 'Send a smaller body, or raise --body-limit.',
  },
  'image-too-large': {
    status: 413,
    title: 'Image has too many pixels',
    hint: 'Resize the picture, or raise maxPixels in image({...}).',
  },
  'unsupported-media-type': {
    status: 415,
    title: 'Unsupported media type',
    hint: 'Send a JPEG, PNG or WebP image, or JSON, as the function declares.',
  },
  'invalid-image': {
    status: 422,
    title: 'Image cannot be decoded',
    hint: 'The file is truncated or damaged: send it again.',
  },
  'invalid-input': {
    status: 422,
    title: 'Input does not fit the schema',
    hint: 'GET /api/functions/{name} shows the schema.',
  },
  'function-busy': {
    status: 429,
    title: "Function's own limit is reached",
    hint: 'Retry later, or raise maxInFlight in the definition.',
  },
  saturated: { status: 503, title: 'The box is saturated', hint: 'Retry after the time in Retry-After.' },
  'out-of-memory': {
    status: 503,
    title: 'The box ran out of memory',
    hint: 'Retry: fewer run at once from now on. GET /api/profile shows it.',
  },
  'thread-lost': {
    status: 503,
    title: 'The thread of the request ended before it began',
    hint: 'Retry: another function had left work in that thread. The log says which.',
  },
  'function-unavailable': {
    status: 503,
    title: 'Function has no working deployment',
    hint: 'GET /api/functions/{name} shows the error.',
  },
  'shutting-down': { status: 503, title: 'The server is shutting down', hint: 'Retry when it is back.' },
  'deadline-exceeded': {
    status: 504,
    title: 'Deadline exceeded',
    hint: 'Retry, or raise timeoutMs in the definition.',
  },
  'client-aborted': { status: 499, title: 'The caller went away', hint: 'Nothing to do.' },
  'handler-error': {
    status: 500,
    title: 'The function failed',
    hint: "The log has the stack under this request's id.",
  },
  'invalid-output': {
    status: 500,
    title: "The function's output does not fit its schema",
    hint: 'Correct the handler or its output schema.',
  },
  'internal-error': {
    status: 500,
    title: 'Internal error',
    hint: "The log has the stack under this request's id.",
  },

  // What an operator can meet in the API.
  'disk-full': {
    status: 507,
    title: 'The disk takes no more',
    hint: 'Free space on the disk of --data, or lower --sample-bytes, --async-bytes or --keep-versions.',
  },
  unauthorized: { status: 401, title: 'Admin token needed', hint: 'Send Authorization: Bearer <token>.' },
  'forbidden-origin': {
    status: 403,
    title: 'Request comes from another origin',
    hint: 'Call the API from a program, or from a page of this server.',
  },
  'invalid-key': {
    status: 401,
    title: 'Function key needed',
    hint: 'Send Authorization: Bearer <key>, or x-corun-key; corun keys make <function> makes one.',
  },
  'unknown-key': { status: 404, title: 'No such key', hint: 'corun keys list shows them.' },
  'unknown-invocation': {
    status: 404,
    title: 'No such invocation',
    hint: 'Results are kept for --async-ttl seconds.',
  },
  'unknown-schedule': {
    status: 404,
    title: 'No such schedule',
    hint: 'GET /api/schedules lists the functions that have one.',
  },
  'schedule-conflict': {
    status: 409,
    title: 'Not possible in the present state of the schedule',
    hint: 'GET /api/schedules shows it.',
  },
  'invocations-full': {
    status: 503,
    title: 'No room for another asynchronous invocation',
    hint: 'Retry later, or raise --async-limit or --async-bytes.',
  },
  'invocation-abandoned': {
    status: 500,
    title: 'The server ended each time the invocation ran',
    hint: 'The log of the server tells why it ended.',
  },
  'unknown-label': { status: 422, title: 'Unknown label', hint: "Use one of the model's labels." },
  'unknown-request': {
    status: 404,
    title: 'No such request is known',
    hint: 'Give feedback sooner, or capture more: see capture in the README.',
  },
  'unknown-sample': {
    status: 404,
    title: 'No such sample',
    hint: 'GET /api/functions/{name}/samples?list=true shows their ids.',
  },
  'unknown-model': { status: 404, title: 'No such model', hint: 'GET /api/models lists them.' },
  'unknown-version': {
    status: 404,
    title: 'No such model version',
    hint: 'GET /api/models/{id} lists its versions.',
  },
  'unknown-retraining': { status: 404, title: 'No such retraining', hint: 'GET /api/retraining lists them.' },
  'retraining-conflict': {
    status: 409,
    title: 'Not possible in the present state of the retraining',
    hint: 'GET /api/retraining shows it.',
  },
  'retraining-skipped': {
    status: 409,
    title: 'The run would not pay',
    hint: 'Post more labelled samples, or start it by hand.',
  },
  'nothing-to-roll-back': {
    status: 409,
    title: 'No earlier version',
    hint: 'GET /api/models/{id} shows the lineage.',
  },

  // What stops a function from being deployed.
  'build-failed': {
    status: 500,
    title: 'Function does not build',
    hint: 'Correct the source at the line shown.',
  },
  'invalid-definition': {
    status: 500,
    title: 'Function definition is not valid',
    hint: 'See defineFunction in the README.',
  },
  'init-failed': {
    status: 500,
    title: 'init() of the function failed',
    hint: 'Correct it at the line shown, or what it needs; the file is tried again when it is saved.',
  },
  'model-not-found': {
    status: 500,
    title: 'Model file not found',
    hint: 'Correct the path in the definition, or install the package.',
  },
  'model-load-failed': {
    status: 500,
    title: 'Model does not load',
    hint: 'Check that the file is a complete ONNX model that onnxruntime supports.',
  },

  'unsupported-operator': {
    status: 500,
    title: 'Model uses operators that are not imported',
    hint: 'Import the part before them (--outputs), or export the model as ONNX.',
  },

  // What training can meet.
  'invalid-model': { status: 500, title: 'Not a valid ONNX model', hint: 'Export the model again.' },
  'not-trainable': {
    status: 500,
    title: 'Model cannot be trained as asked',
    hint: 'Train fewer layers, or see the operators named.',
  },
  'too-few-samples': { status: 409, title: 'Too few samples', hint: 'Post more labelled samples first.' },
  'trainer-failed': {
    status: 500,
    title: 'The trainer process failed',
    hint: 'The log has its last lines. Start it again: it begins anew.',
  },

  // What keeps a command from running.
  'invalid-config': {
    status: 500,
    title: 'Configuration is not valid',
    hint: 'corun <command> --help lists options and defaults.',
  },
  'address-in-use': {
    status: 500,
    title: 'Address is in use',
    hint: 'Stop the other process, or choose another --port (0 picks one).',
  },
  'data-in-use': {
    status: 500,
    title: 'Data directory is in use',
    hint: 'Stop the other server, or choose another --data.',
  },
  'state-invalid': {
    status: 500,
    title: 'A state file is not valid',
    hint: 'Restore the file named, or move it away to start afresh.',
  },
  'probe-failed': {
    status: 500,
    title: 'A measurement failed',
    hint: 'The message names the point; run corun profile again.',
  },
  'needs-checkout': {
    status: 500,
    title: 'Command is not part of the package',
    hint: 'Clone the repository, run npm ci there, and run the command in it.',
  },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof errorKinds
export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(errorKinds, text)

export interface CorunErrorOptions {
  cause?: unknown
  /** Facts for the reader beside the message, such as the list of allowed labels. Sent to clients as they are. */
  details?: Record<string, unknown>
}

/**
 * An error with a stable code.
 *
 * @example
 * throw new CorunError('unknown-label', `label "cat" is not one of dog, bird`, { details: { labels } })
 */
export class CorunError extends Error {
  readonly code: ErrorCode
  readonly details: Record<string, unknown> | undefined
  /** The run of a function that it ended, where it did. */
  ran?: { deployment: string; queueMs: number; runMs: number }

  constructor(code: ErrorCode, message: string, options: CorunErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CorunError'
    this.code = code
    this.details = options.details
  }

  get status(): number {
    return errorKinds[this.code].status
  }

  get title(): string {
    return errorKinds[this.code].title
  }

  get hint(): string {
    return errorKinds[this.code].hint
  }
}

/** The error as plain data that survives a thread or process border. */
export interface SerializedError {
  code: ErrorCode
  message: string
  stack?: string
  details?: Record<string, unknown>
}

/**
 * Unexpected errors take `fallback` as their code; their message stays for the log. Whatever was thrown, this does
 * not throw, and gives plain text that crosses any border: an author's error may have anything as its message.
 */
export function serializeError(error: unknown, fallback: ErrorCode): SerializedError {
  const code = error instanceof CorunError ? error.code : fallback
  const details = error instanceof CorunError ? error.details : undefined
  try {
    const { message, stack } = error instanceof Error ? error : new Error(String(error))
    const stackText = typeof stack === 'string' && stack !== '' ? { stack } : {}
    return { code, message: String(message), ...stackText, ...(details ? { details } : {}) }
  } catch {
    return { code, message: 'something was thrown that has no text' }
  }
}

export function deserializeError(data: SerializedError): CorunError {
  const error = new CorunError(data.code, data.message, data.details ? { details: data.details } : {})
  if (data.stack) error.stack = data.stack
  return error
}
