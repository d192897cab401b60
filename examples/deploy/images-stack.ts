import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnRepository } from 'aws-cdk-lib/aws-ecr';
import type { Construct } from 'constructs';
import { repositoryName, resourceId, SAMPLE_RUNTIMES } from './sample-runtimes.ts';

export interface ImagesProps extends StackProps {
  readonly repositoryPrefix: string;
}

/** The ECR repositories. A stack of its own, as images are pushed before a runtime can be made. */
export class ImagesStack extends Stack {
  constructor(scope: Construct, id: string, props: ImagesProps) {
    super(scope, id, props);
    for (const sample of SAMPLE_RUNTIMES) {
      const repository = new CfnRepository(this, `${resourceId(sample)}Repository`, {
        repositoryName: repositoryName(props.repositoryPrefix, sample),
        // What was deployed under a tag is what runs under it.
        imageTagMutability: 'IMMUTABLE',
        imageScanningConfiguration: { scanOnPush: true },
        emptyOnDelete: true,
      });
      new CfnOutput(this, `${resourceId(sample)}RepositoryUri`, {
        value: repository.attrRepositoryUri,
      });
    }
  }
}
