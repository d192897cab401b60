import { sampleApp } from './sample-app.ts';

sampleApp().app.synth();
