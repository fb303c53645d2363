/** An option is wrong: a name, a value, a file that is not there. */
export class ConfigError extends TypeError {
  override readonly name = 'ConfigError';
  readonly code = 'CUSTODIAN_CONFIG';
}
