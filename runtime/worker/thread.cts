/**
 * The file that Piscina requires in a pool thread; worker.ts is the thread's work. A thread that is ended while it
 * requires an ES module ends the whole process (Node 20.20: V8 is asked about a graph that was never linked); one that
 * is ended while it imports the same module just ends.
 */
exports.__esModule = true
exports.default = import('./worker.js').then(
  ({ default: handle }) => {
    // For what functions throw. From the start on, reading the maps of the runtime's modules would take as long again.
    process.setSourceMapsEnabled(true)
    return handle
  },
  error => {
    // Piscina would drop it, and say that there is no handler.
    setImmediate(() => {
      throw error
    })
    return new Promise(() => {})
  },
)
