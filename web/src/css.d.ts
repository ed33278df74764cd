/** esbuild bundles style sheets; to the type checker they are imports without a value. */
declare module "*.css";
