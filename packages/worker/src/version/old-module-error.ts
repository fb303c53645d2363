/** An older version of a servlet, which some visitors finish in, imports a module that was not kept with it. */
export class OldModuleError extends Error {
  override readonly name = 'OldModuleError';
  readonly code = 'SERVLET_OLD_MODULE';
  constructor(file: string) {
    super(
      `Cannot import ${file}: it was not loaded when this version of the servlet was kept; import it at the top of a module`,
    );
  }
}
