"""The usual classification script on scikit-learn, XGBoost and LightGBM, timed per stage: FILE TARGET POSITIVE [DROP,COLUMNS] [SEPARATOR].

TUNED=1: folds run in parallel with one thread inside each model, and final fits use all threads (as a careful user would set it).
"""
import os, sys, time, json, resource
t0=time.time()
import numpy as np, pandas as pd, xgboost as xgb, lightgbm as lgb
from sklearn.model_selection import train_test_split, cross_val_score
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler, OneHotEncoder
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score, log_loss
timport=time.time()-t0; TUNED=os.environ.get('TUNED')=='1'
path,target,pos=sys.argv[1:4]; drop=sys.argv[4].split(',') if len(sys.argv)>4 and sys.argv[4] else []
sep=sys.argv[5] if len(sys.argv)>5 else ','
t=time.time(); df=pd.read_csv(path,sep=sep,skipinitialspace=True).drop(columns=drop); 
for c in df.columns:
    if df[c].dtype==object or str(df[c].dtype) in('str','string'):
        n=pd.to_numeric(df[c],errors='coerce')
        if n.notna().mean()>0.95: df[c]=n
y=(df[target].astype(str)==pos).astype(int); X=df.drop(columns=[target]); tread=time.time()-t
Xtr,Xtmp,ytr,ytmp=train_test_split(X,y,test_size=.3,stratify=y,random_state=42)
Xv,Xte,yv,yte=train_test_split(Xtmp,ytmp,test_size=.5,stratify=ytmp,random_state=42)
num=X.select_dtypes(include=['number']).columns; cat=[c for c in X.columns if c not in num]
pre=ColumnTransformer([('num',Pipeline([('i',SimpleImputer(strategy='median')),('s',StandardScaler())]),num),('cat',OneHotEncoder(handle_unknown='ignore'),cat)])
M={'logistic_regression':LogisticRegression(random_state=42,max_iter=1000),'random_forest':RandomForestClassifier(random_state=42,n_jobs=-1),'xgboost':xgb.XGBClassifier(random_state=42),'lightgbm':lgb.LGBMClassifier(random_state=42,verbose=-1)}
res={}
for n,m in M.items():
    p=Pipeline([('pre',pre),('clf',m)]); a=time.time()
    if TUNED and n!='logistic_regression': m.set_params(n_jobs=1)
    cv=cross_val_score(p,Xtr,ytr,cv=5,scoring='roc_auc',n_jobs=-1); b=time.time()
    if TUNED and n!='logistic_regression': p.set_params(clf__n_jobs=-1)
    p.fit(Xtr,ytr); c=time.time(); pv=p.predict_proba(Xv)[:,1]; pt=p.predict_proba(Xte)[:,1]; d=time.time()
    res[n]=dict(cv_s=round(b-a,3),fit_s=round(c-b,3),pred_s=round(d-c,3),cv=round(cv.mean(),4),val=round(roc_auc_score(yv,pv),4),test=round(roc_auc_score(yte,pt),4),test_logloss=round(log_loss(yte,pt),4))
print(json.dumps(dict(path=os.path.basename(path),rows=len(df),import_s=round(timport,2),read_s=round(tread,2),total_s=round(time.time()-t0,2),rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024,child_rss_mb=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024,**res),indent=1))
