/** The flag of whoever reads backups. */
export const fromFlag = {
  from: {
    type: 'string',
    demandOption: true,
    requiresArg: true,
    describe: 'Where the backups are: a folder, or s3://bucket/prefix',
  },
} as const;
