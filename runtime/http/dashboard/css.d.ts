/** The bundler takes style sheets; for the compiler they are nothing. */
declare module '*.css'
